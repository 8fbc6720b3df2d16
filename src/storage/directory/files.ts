import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Makes what was created, renamed or removed in a directory durable. Windows cannot, and does not need to. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a directory with those above it, durably; for this user only. Step by step: mkdir's own `recursive` never returns where a
 * directory above says ENOENT to its making, as under /proc.
 */
export function makeDirectory(directory: string): void {
  const path = resolve(directory)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  if (found !== undefined) throw Object.assign(new Error(`${path} is a file, not a directory`), { code: 'ENOTDIR' })
  if (dirname(path) !== path) makeDirectory(dirname(path))
  mkdirSync(path, { mode: 0o700 })
  syncDirectory(dirname(path))
}

/** Writes a file with its contents; its name is durable only after syncDirectory. */
export function writeFileSynced(path: string, contents: string | Uint8Array): void {
  const fd = openSync(path, 'w', 0o600)
  try {
    writeFileSync(fd, contents)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Renames within one directory, durably. */
export function renameSynced(from: string, to: string): void {
  renameSync(from, to)
  syncDirectory(dirname(to))
}
