import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CommanderError } from 'commander'
import { exitCodeOf } from '../../src/cli/failure.js'
import { exitCodeOfRun, exitCodeOfRuns } from '../../src/cli/sim-report.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'
import { Coverage } from '../../src/sim/runs/coverage.js'
import { replayCommand, replayPlanCommand, runSeed } from '../../src/sim/runs/run-seed.js'
import { summarize } from '../../src/sim/runs/summary.js'
import { judge } from '../../src/sim/runs/verdict.js'
import { misuse } from '../cli/misuse.js'
import { start, synod } from '../cli/synod.js'

function failToMakeDisk(): never {
  throw new TypeError('a bug of the simulator')
}

/** Prints to stdout when a handler for Ctrl-C is installed. */
const TELL_LISTENING = `--import=data:text/javascript,${encodeURIComponent(`
  process.on('newListener', (name) => name === 'SIGINT' && process.stdout.write('listening\\n'))`)}`

const sim = (...args: string[]) => synod(['sim', ...args])

describe('the command `synod sim`', { concurrency: 2, timeout: 400_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'synod-sim-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('shows the world of a seed, every event of it, as often as one likes', async () => {
    const { eventHash } = await runSeed(10)
    assert.equal(replayCommand(10), 'npx synod sim --seed 10 --verbose')
    const [once, again] = await Promise.all([sim('--seed', '10', '--verbose'), sim('--seed', '10', '--verbose')])
    assert.equal(once.code, 0)
    assert.equal(once.stdout, again.stdout)
    assert.match(once.stdout, /n\d -> n\d/)
    assert.match(once.stdout, /seed 10: no violation\n/)
    assert.ok(once.stdout.endsWith(`event hash: ${eventHash}\n`), once.stdout.slice(-500))
  })

  it('writes down a world: its plan, which gives the same world again, another one when it is edited; a page; the history', async () => {
    const [file, page, history] = ['plan.json', 'page.html', 'history.jsonl'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ]
    const saved = await sim('--seed', '4', '--save-plan', file, '--trace', page, '--history', history, '--json')
    const replayed = await sim('--plan', file, '--json')
    const world = JSON.parse(saved.stdout) as { size: { eventHash: string }; verdict: string }
    assert.equal(world.verdict, 'held')
    assert.match(readFileSync(page, 'utf8'), /^<!doctype html>/i)
    const lines = readFileSync(history, 'utf8').trimEnd().split('\n')
    assert.equal(lines.filter((line) => line.includes('"returnedUs":')).length, lines.length - 1)
    assert.deepEqual(JSON.parse(lines[0] ?? ''), { format: 'synod-history', version: 1, seed: 4 })
    assert.deepEqual((JSON.parse(replayed.stdout) as typeof world).size, world.size)
    writeFileSync(file, '{ "seed": 4, "faults": [{ "atMs": 500, "forMs": 100, "kind": "crash", "target": "leader" }] }')
    const edited = JSON.parse((await sim('--plan', file, '--json')).stdout) as typeof world & { faults: Record<string, number> }
    assert.equal(edited.faults['crash'], 1)
    assert.notEqual(edited.size.eventHash, world.size.eventHash)
  })

  it('ends with exit code 1 after a violation, and finds a small plan that causes it', async () => {
    const [file, small] = ['dead.json', 'small.json'].map((name) => join(directory, name)) as [string, string]
    // Election timeouts that never expire.
    const options = { electionTimeoutMsMin: 100_000, electionTimeoutMsMax: 200_000 }
    const faults = [{ atMs: 20, forMs: 30, kind: 'pause', target: 1 }]
    writeFileSync(file, JSON.stringify({ seed: 1, faultsMs: 100, options, faults }))
    const { code, stdout } = await sim('--plan', file, '--shrink', '--save-plan', small)
    assert.equal(code, 1)
    assert.match(stdout, /^seed 1: a violation\na client got hardly any answers in 30 s after a quorum was healed\n/)
    assert.match(
      stdout,
      /^shrunk: faults 1 to 0, nodes 3 to 3; \d+ runs, nothing more can go\n  no fault is needed\n  then: a client/m,
    )
    assert.ok(stdout.endsWith(`replay: npx synod sim --plan ${small} --verbose\n`), stdout)
    const replayed = await sim('--plan', small)
    assert.equal(replayed.code, 1)
    assert.match(replayed.stdout, /a client got hardly any answers/)
  })

  it('tells of many worlds what they have seen together, each seed once, whatever the number of processes', async () => {
    const args = ['--runs', '4', '--first', '20', '--json']
    const outputs = await Promise.all([sim(...args, '--jobs', '1'), sim(...args, '--jobs', '2')])
    const [one, two] = outputs.map(({ code, stdout }) => {
      assert.equal(code, 0)
      const { seconds: _, runsPerSecond: __, ...rest } = JSON.parse(stdout) as Record<string, unknown>
      return rest
    })
    assert.deepEqual(one, two)
    assert.equal(one?.['runCount'], 4)
    assert.equal(one?.['heldCount'], 4)
    assert.ok(Array.isArray(one?.['missing']) && one['missing'].length > 0, 'four worlds do not see everything')
  })

  it('stops when the time is up', async () => {
    const { code, stdout } = await sim('--for', '1s', '--jobs', '1')
    assert.equal(code, 0)
    assert.match(stdout, /^\d+ runs: (\d+) held .* 0 with a violation; [\d.]+ runs\/s\n$/m)
    assert.match(stdout, /^fault +struck +in runs +share\n/)
    assert.match(stdout, /^never struck: /m)
  })

  it('ends with exit code 130 on Ctrl-C, after it has told what was done', async () => {
    const running = start(['sim', '--for', '60s', '--jobs', '1'], { nodeArguments: [TELL_LISTENING] })
    await running.untilPrinted(/^listening\n/)
    running.process.kill('SIGINT')
    const { code, stdout } = await running.ended
    assert.match(stdout, /^interrupted; what was done so far:\n[^]*^\d+ runs: \d+ held/m)
    assert.equal(code, 130)
    assert.match((await sim('--help')).stdout, /^ +130 +interrupted/m)
  })

  it('prints a replay command that a shell takes as it is meant', () => {
    assert.equal(replayPlanCommand('./a-b/c_1.json'), 'npx synod sim --plan ./a-b/c_1.json --verbose')
    assert.equal(replayPlanCommand("it's $HOME; *.json"), "npx synod sim --plan 'it'\\''s $HOME; *.json' --verbose")
  })

  it('tells a failure of the simulator itself from a violation, with its stack and exit code 3', async () => {
    const verdict = await judge({ seed: 1, plan: QUIET_PLAN }, { parts: { makeDisk: failToMakeDisk } })
    const summary = summarize({ seed: 1, plan: QUIET_PLAN }, verdict)
    assert.equal(summary.verdict, 'crashed')
    assert.equal(summary.sentence, 'a bug of the simulator')
    assert.match(summary.stack ?? '', /TypeError: a bug of the simulator\n +at .*sim-command\.test/)
    assert.equal(exitCodeOfRun(summary.verdict), 3)
    const coverage = new Coverage()
    coverage.add(summary)
    assert.equal(exitCodeOfRuns(coverage), 3)
  })

  const MISUSES: [string[], RegExp][] = [
    [['--seed', 'x'], /--seed.*It must be a whole number from 0 to 4294967295/],
    [['--seed', '1', '--runs', '2'], /'--runs <count>' cannot be used with option '--seed <number>'/],
    [['--for', '10'], /--for.*It must be a whole number of at least 1 with its unit, as 30s, 10m or 2h/],
    [['--jobs', '0'], /--jobs.*whole number from 1 to 256/],
    [['--verbose'], /--verbose needs one world: --seed or --plan/],
    [['--seed', '1', '--keep-going'], /--keep-going goes with many worlds/],
    [['--seed', '1', '--first', '1'], /--first goes with many worlds/],
    [['--seed', '1', '--jobs', '1'], /--jobs goes with many worlds/],
    [['--plan', 'p.json', '--first', '1'], /--first goes with many worlds/],
    [['--seed', '1', '--for', '1s'], /'--for <duration>' cannot be used with option '--seed <number>'/],
    [
      ['--first', '4294967295', '--runs', '2'],
      /--runs must be at most 1 with --first 4294967295, as the largest seed is 4294967295/,
    ],
    [['--plan', '/nowhere/plan.json'], /^cannot read --plan \/nowhere\/plan\.json: ENOENT/],
    [['--plan', ''], /^--plan needs the name of a file$/],
    [['--seed', '1', '--trace', ''], /^--trace needs the name of a file$/],
    [['--seed', '1', '--trace', '/nowhere/page.html'], /^--trace: ENOENT: no such file or directory, access '\/nowhere'$/],
    [['--seed', '1', '--history', '.'], /^--history: cannot write \.: it is a directory, and no regular file$/],
    [
      ['--runs', '1', '--save-plan', '/nowhere/plan.json'],
      /^--save-plan: ENOENT: no such file or directory, access '\/nowhere'$/,
    ],
  ]
  for (const [args, message] of MISUSES) {
    it(`refuses \`sim ${args.join(' ')}\``, async () => {
      const { stderr, error } = await misuse(['sim', ...args])
      assert.match(stderr, message)
      assert.ok(error instanceof CommanderError || exitCodeOf(error) === 2, String(error))
    })
  }

  it('names the field of a plan that cannot be', async () => {
    const file = join(directory, 'wrong.json')
    writeFileSync(file, '{ "seed": 1, "faults": [{ "atMs": 1, "kind": "crash", "target": 4 }] }')
    const { code, stderr } = await sim('--plan', file)
    assert.equal(code, 2)
    assert.ok(stderr.includes('faults[0].target must be "leader", "follower" or a node from 1 to 3, not 4'), stderr)
  })
})
