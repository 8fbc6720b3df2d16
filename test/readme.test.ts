import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const README = 'README.md'
const MAIN = new URL('../src/cli/main.js', import.meta.url).pathname
/** README's ports, 7101 to 7103 and 7201 to 7203, become base + 1 and so on: others may be at work on this machine. */
const README_BASE_PORT = 7_100

describe("the README's first screen", () => {
  let directory: string
  let dev: ChildProcess
  let basePort: number
  let blocks: string[]

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'synod-readme-'))
    basePort = await freeBasePort()
    blocks = [...(await readFile(README, 'utf8')).matchAll(/```sh\n([^]*?)```/g)].map((match) => match[1] ?? '')
    dev = spawn(process.execPath, [MAIN, 'dev', '--data', directory, '--base-port', String(basePort)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await untilPrinted(dev, 'Ctrl-C')
  })

  after(async () => {
    const gone = new Promise((resolve) => dev.once('exit', resolve))
    if (dev.kill('SIGINT')) assert.equal(await gone, 0)
    await rm(directory, { recursive: true })
  })

  /** A line of the README as it is typed, but for the ports and the data directory. */
  async function type(line: string): Promise<string> {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
    const moved = words.map((word) => word.replace(/:(7\d\d\d)\b/, (_, port) => `:${Number(port) - README_BASE_PORT + basePort}`))
    const endpoints = [1, 2, 3].map((i) => `127.0.0.1:${basePort + i}`).join(',')
    const env = { ...process.env, SYNOD_ENDPOINTS: endpoints, SYNOD_DATA: directory }
    if (moved[0] === 'npx') return (await run(process.execPath, [MAIN, ...moved.slice(2)], { env })).stdout
    const [, , , data = '', host = '', method = ''] = moved
    const curl = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', '-d', data, `http://${host}/${method}`]
    return (await run('node_modules/.bin/buf', curl)).stdout
  }

  it('runs as it is written, with the CLI', async () => {
    const lines = (blocks[1] ?? '').trim().split('\n')
    assert.ok(lines.length >= 8 && lines.every((line) => line.startsWith('npx synod ')), 'the second block is the CLI')
    const printed: string[] = []
    for (const line of lines) printed.push(await type(line))
    assert.match(printed[lines.indexOf('npx synod bank balance bob')] ?? '', /300/)
    assert.match(printed[lines.indexOf('npx synod kv get greeting')] ?? '', /hello/)
    assert.match(printed[lines.indexOf('npx synod status')] ?? '', /leader/)
  })

  it('runs as it is written, with a reflection client in the place of grpcurl', async () => {
    const lines = (blocks[2] ?? '').trim().split('\n')
    assert.ok(lines.length >= 3 && lines.every((line) => line.startsWith('grpcurl -plaintext -d ')), 'the third block is grpcurl')
    const printed: string[] = []
    for (const line of lines) printed.push(await type(line))
    assert.match(printed[0] ?? '', /carol/)
    assert.match(printed[1] ?? '', /"balance": ?"300"/)
    assert.match(printed[2] ?? '', /revision/)
  })
})

/** Below the ports that systems give away, so that no other test is given one of these meanwhile. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 10_000 + 200 * randomInt(0, 100)
    const ports = [1, 2, 3, 101, 102, 103].map((offset) => base + offset)
    const areFree = await Promise.all(ports.map(isFree))
    if (areFree.every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function untilPrinted(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`synod dev ended with ${code}`)))
    if (child.stdout === null) throw new Error('the output is piped')
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes(text)) resolve()
    })
  })
}
