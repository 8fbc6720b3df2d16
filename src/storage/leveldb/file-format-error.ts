/** A LevelDB file cannot be what LevelDB wrote. The message says where. */
export class FileFormatError extends Error {
  override readonly name = 'FileFormatError'
}
