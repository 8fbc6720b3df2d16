/** A LevelDB file that differs from what LevelDB wrote. The message names the place. */
export class FileFormatError extends Error {
  override readonly name = 'FileFormatError'
}
