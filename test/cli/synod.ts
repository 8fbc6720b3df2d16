import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export const MAIN = new URL('../../src/cli/main.js', import.meta.url).pathname

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves with all of stdout so far once it matches; rejects when the command ends before. */
  untilPrinted(pattern: RegExp): Promise<string>
}

/** A variable set to undefined is taken away. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string
  /** For Node itself, before the program. */
  readonly nodeArguments?: readonly string[]
  /** A file descriptor in the place of the pipe that is read; `closed`: a pipe that nobody reads any more. */
  readonly stdout?: number | 'pipe' | 'closed'
}

/** Starts the command `synod` as a process of its own, without any SYNOD_* variable but those given. */
export function start(
  args: readonly string[],
  { env = {}, input = '', nodeArguments = [], stdout: to = 'pipe' }: Surroundings = {},
): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SYNOD_'))
  const child = spawn(process.execPath, [...nodeArguments, MAIN, ...args], {
    env: { ...Object.fromEntries(inherited), NODE_TEST_CONTEXT: undefined, ...env },
    stdio: ['pipe', typeof to === 'number' ? to : 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  if (to === 'closed') child.stdout?.destroy()
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (const listener of listeners) listener()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin?.end(input)
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))

  function untilPrinted(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(stdout)) resolve(stdout)
      }
      listeners.add(look)
      void ended.then(() => reject(new Error(`ended without ${String(pattern)}:\n${stdout}${stderr}`)))
      look()
    })
  }
  return { process: child, ended, untilPrinted }
}

/** Runs `synod` to its end. */
export function synod(args: readonly string[], surroundings?: Surroundings): Promise<Ended> {
  return start(args, surroundings).ended
}
