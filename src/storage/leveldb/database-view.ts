/** Folders of a database. */
export interface DatabasePaths {
  /** The data directory, for messages. */
  readonly directory: string
  /** LevelDB's own folder. */
  readonly database: string
  /** The folder for the files of views, on the same file system. */
  readonly views: string
}

/** A database as it was at one moment, readable while it is written on. */
export interface DatabaseView {
  /**
   * Returns entries in the order of their keys. They are views of bigger buffers: a caller that keeps one must copy it.
   *
   * @throws StorageError DAMAGED, errors of node:fs
   */
  pages(range: ViewRange): AsyncIterable<[Buffer, Buffer][]>
  close(): Promise<void>
}

export interface ViewRange {
  /** First bytes of the wanted keys. */
  readonly tags: readonly number[]
  /** Lower bound: entries before it with the same first byte may be left out, to save reading them. */
  readonly from: Buffer | undefined
}
