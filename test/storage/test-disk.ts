import { test } from 'node:test'
import type { LogWindow, Storage } from '../../src/storage/storage.js'

interface TestDiskOptions {
  readonly window?: LogWindow
  /** Small enough for a checkpoint to be written in pieces. */
  readonly pieceBytes?: number
}

/** One node's disk: what `open` gives stands on it, again and again. */
interface TestDisk {
  open(options?: TestDiskOptions): Promise<Storage>
  remove(): Promise<void>
}

export type NewDisk = () => Promise<TestDisk>
export type Reopen = (options?: TestDiskOptions) => Promise<Storage>
export type OnDisk = (title: string, run: (storage: Storage, reopen: Reopen) => Promise<void>, options?: TestDiskOptions) => void

/** Makes tests that get a storage on a fresh disk, and a way to close it and open it again. */
export function onDisksOf(newDisk: NewDisk): OnDisk {
  return (title, run, options = {}) => {
    test(title, async () => {
      const disk = await newDisk()
      let storage = await disk.open(options)
      try {
        await run(storage, async (others = options) => {
          await storage.close()
          storage = await disk.open(others)
          return storage
        })
      } finally {
        await storage.close()
        await disk.remove()
      }
    })
  }
}
