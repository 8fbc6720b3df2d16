/**
 * An outside opinion of simulated runs: their histories, as `synod sim --history` writes them, are judged by porcupine and a model in
 * Go that shares nothing with ours (scripts/interop/linearizability). Histories that were tampered with must be found out.
 *
 *     npx tsx scripts/interop/linearizability.ts [RUNS] [FIRST_SEED]
 *
 * Needs Go, which fetches porcupine at the first time; without it, it says so and ends.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { historyLines } from '../../src/sim/history/history-file.js'
import { runSeed } from '../../src/sim/runs/run-seed.js'

const RUNS = Number(process.argv[2] ?? 30)
const FIRST_SEED = Number(process.argv[3] ?? 1)
const SEARCH_TIMEOUT = '10s'

interface Line {
  readonly operation: { readonly kind: string; readonly requestId?: string }
  readonly answer: Record<string, unknown> | null
  readonly invokedUs: number
  readonly returnedUs: number | null
}

/** Ways to lie. Each gives the lines of a history with a lie in them, or nothing if there is no place for it. */
const LIES: readonly { readonly name: string; readonly tell: (lines: readonly Line[]) => readonly Line[] | undefined }[] = [
  {
    name: 'a balance that is off by one',
    tell: (lines) =>
      changeOne(lines, ({ answer }) => {
        const account = answer?.['kind'] === 'account' ? (answer['account'] as { balance: number }) : undefined
        return account && { ...answer, account: { ...account, balance: account.balance + 1 } }
      }),
  },
  {
    name: 'a read from before an acknowledged write',
    tell: (lines) => {
      const writtenUs = lines.find(({ operation, answer }) => operation.kind === 'put' && answer?.['kind'] === 'put')?.returnedUs
      return changeOne(lines, ({ operation, invokedUs, answer }) => {
        const isLate = answer !== null && typeof writtenUs === 'number' && invokedUs > writtenUs
        return operation.kind === 'get' && isLate ? { kind: 'get', pair: null, revision: 1 } : undefined
      })
    },
  },
  {
    name: 'one write for two that were acknowledged',
    tell: (lines) => {
      const put = lines.find((l) => l.operation.kind === 'put' && l.operation.requestId === undefined && l.answer !== null)
      return put && [...lines, put]
    },
  },
]

function changeOne(lines: readonly Line[], change: (line: Line) => object | undefined): readonly Line[] | undefined {
  const place = lines.findLastIndex((line) => change(line) !== undefined)
  if (place === -1) return undefined
  return lines.map((line, i) => (i === place ? { ...line, answer: change(line) as Record<string, unknown> } : line))
}

const work = mkdtempSync(join(tmpdir(), 'synod-linearizability-'))
const checker = join(work, 'linearizability')
let passed = 0
let failed = 0
let undecided = 0
/** Worlds in which the level was raised. */
let leftOut = 0

function hasGo(): boolean {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0
}

/** What the checker says of a history: `ok`, `FAIL` or `unknown`, and of what or why. */
function judge(name: string, lines: readonly string[]): { word: string; text: string } {
  const file = join(work, `${name}.jsonl`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  const { stdout } = spawnSync(checker, ['-timeout', SEARCH_TIMEOUT, file], { encoding: 'utf8' })
  const [word = '', ...text] = stdout.trim().replaceAll(`${work}/`, '').split(' ')
  return { word, text: text.join(' ') }
}

function report(isFine: boolean, text: string): void {
  if (isFine) passed++
  else failed++
  console.log(`${isFine ? 'ok  ' : 'FAIL'} ${text}`)
}

async function checkSeeds(): Promise<void> {
  const untold = new Set(LIES)
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const { history, plan } = await runSeed(seed)
    if (plan.faults.some(({ kind }) => kind === 'raiseLevel')) {
      leftOut++
      continue
    }
    const [head = '', ...requests] = historyLines(history, seed)
    const ofNext = requests.filter(isOfNextLevel)
    const wrong = ofNext.find((line) => !hasDoneNothing(JSON.parse(line) as Line))
    if (wrong !== undefined) report(false, `seed ${seed}: below its level this was carried out: ${wrong}`)
    const lines = [head, ...requests.filter((line) => !isOfNextLevel(line))]
    const { word, text } = judge(`seed-${seed}`, lines)
    if (word === 'unknown') {
      undecided++
      console.log(`     undecided: ${text}`)
      continue
    }
    report(word === 'ok', text)
    for (const lie of word === 'ok' ? untold : []) if (checkLie(seed, lines, lie)) untold.delete(lie)
  }
  for (const { name } of untold) report(false, `no history had a place for ${name}`)
}

/** True for what only the simulator's next version has. The judge does not know it: below its level, nothing comes of it. */
function isOfNextLevel(line: string): boolean {
  const { operation } = JSON.parse(line) as { readonly operation: { readonly kind: string; readonly key?: string } }
  return operation.kind === 'touch' || (operation.kind === 'put' && operation.key === '')
}

function hasDoneNothing({ answer }: Line): boolean {
  return answer === null || answer['kind'] === 'refused'
}

/** Whether there was a place for the lie, and an end to the search for it. */
function checkLie(seed: number, lines: readonly string[], { name, tell }: (typeof LIES)[number]): boolean {
  const [head = '', ...rest] = lines
  const lied = tell(rest.map((line) => JSON.parse(line) as Line))
  if (lied === undefined) return false
  const { word, text } = judge(`seed-${seed}-tampered`, [head, ...lied.map((line) => JSON.stringify(line))])
  if (word === 'unknown') return false
  report(word === 'FAIL', `seed ${seed} with ${name}: ${text.slice(0, 200)}`)
  return true
}

try {
  if (hasGo()) {
    const cwd = fileURLToPath(new URL('linearizability', import.meta.url))
    execFileSync('go', ['build', '-o', checker, '.'], { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
    await checkSeeds()
  } else {
    console.log('skipped: there is no go on the PATH')
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
if (undecided > 0) console.log(`\n${undecided} searches took longer than ${SEARCH_TIMEOUT}`)
if (leftOut > 0) console.log(`${leftOut} worlds raised their level: the judge knows this one's operations alone`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
