import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { accepted, decidedUpTo, GENESIS, infoAt, state } from '../storage/samples.js'
import { synod } from './synod.js'

describe('synod doctor', () => {
  const root = mkdtempSync(join(tmpdir(), 'synod-doctor-cli-'))
  const directory = join(root, 'node')
  after(() => rmSync(root, { recursive: true, force: true }))

  before(async () => {
    const storage = await LevelStorage.open({ directory, nodeId: 2 })
    await storage.append([{ kind: 'genesis', genesis: GENESIS }, accepted(1), accepted(2), decidedUpTo(2)])
    await storage.saveCheckpoint({ ...infoAt(2), memberships: [] }, state({ a: [1], b: [2] }))
    await storage.close()
  })

  it('says of a healthy directory what it holds, with exit code 0', async () => {
    const { code, stdout, stderr } = await synod(['doctor', '--data', directory])
    assert.equal(stderr, '')
    assert.match(stdout, new RegExp(`^healthy +${directory}\n`))
    assert.match(stdout, /\nnode +2, directory [0-9a-f-]{36}\n/)
    assert.match(stdout, new RegExp(`\ncluster +${GENESIS.clusterId}\n`))
    assert.match(stdout, /\nmembers +1 voter 127\.0\.0\.1:7201, 2 voter 127\.0\.0\.1:7202, 3 voter 127\.0\.0\.1:7203\n/)
    assert.match(stdout, /\npromise +1\.1\ndecided up to +slot 2\napplied up to +slot 2\n/)
    assert.match(stdout, /\nlog +2 slots, .* kB, from slot 1 on\nstate +2 entries, .*\nhistory +0 entries/)
    assert.equal(code, 0)
  })

  it('says of a damaged one what is wrong, what that means and what to do, with exit code 1', async () => {
    const damaged = join(root, 'damaged')
    cpSync(directory, damaged, { recursive: true })
    const log = readdirSync(join(damaged, 'db')).find((name) => name.endsWith('.log'))
    assert.ok(log !== undefined)
    const path = join(damaged, 'db', log)
    const bytes = readFileSync(path)
    bytes[30] = (bytes[30] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const { code, stdout } = await synod(['doctor', '--data', damaged])
    assert.match(stdout, new RegExp(`^not healthy +${damaged}\n`))
    assert.match(
      stdout,
      /\nDAMAGED: .*\.log is damaged: a record does not match its checksum at byte 0\n {2}means: {2}the node may have/,
    )
    assert.match(
      stdout,
      /\n {2}remedy: If the cluster has other members, start the node: it keeps these files.*`synod restore`\n/,
    )
    assert.equal(code, 1)
    const asJson = await synod(['doctor', '--json'], { env: { SYNOD_DATA: damaged } })
    const { isHealthy, findings } = JSON.parse(asJson.stdout) as { isHealthy: boolean; findings: { code: string }[] }
    assert.deepEqual([isHealthy, findings.map((found) => found.code)], [false, ['DAMAGED']])
    assert.equal(asJson.code, 1)
  })

  it('says where no data is, and asks for a directory', async () => {
    const nowhere = await synod(['doctor', '--data', join(root, 'nowhere')])
    assert.match(nowhere.stdout, /\nMISSING: there is no node's data in .*nowhere\n/)
    assert.equal(nowhere.code, 1)
    const asked = await synod(['doctor'])
    assert.match(asked.stderr, /required option '--data <dir>' not specified/)
    assert.equal(asked.code, 2)
  })
})
