import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { describeStorage } from './conformance.js'

describeStorage('LevelStorage', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'synod-storage-'))
  return {
    open: (options) => LevelStorage.open({ directory: join(directory, 'node'), nodeId: 1, ...options }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
})
