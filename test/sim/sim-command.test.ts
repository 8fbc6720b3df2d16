import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { replayCommand, runSeed } from '../../src/sim/run-seed.js'
import { MUTATIONS } from './mutations.js'

const run = promisify(execFile)
const sim = (...args: string[]) => run(process.execPath, ['--import', 'tsx', 'scripts/sim.ts', ...args], { timeout: 60_000 })

test('the replay command shows the same world, every event of it', async () => {
  const { eventHash } = await runSeed(5)
  assert.equal(replayCommand(5), 'npm run sim -- --seed 5 --verbose')
  const { stdout } = await sim('--seed', '5', '--verbose')
  assert.ok(stdout.includes(`event hash: ${eventHash}`), stdout.slice(-500))
  assert.match(stdout, /all promises held/)
  assert.match(stdout, /n\d -> n\d: accept \d+\.\d slot \d+/)
})

test('a number that is none is refused with the name of its flag', async () => {
  await assert.rejects(sim('--seed', 'x'), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 2)
    assert.match(error.stderr ?? '', /--seed must be a whole number/)
    return true
  })
})

test('a broken promise is told in one sentence', async () => {
  const mutation = MUTATIONS.find(({ name }) => name === 'answers leave before the sync')
  const { failure } = await runSeed(1, { parts: mutation?.parts ?? {} })
  assert.match(failure ?? '', /^node \d sent a prepare for ballot \d+\.\d before that was on its disk$/)
})
