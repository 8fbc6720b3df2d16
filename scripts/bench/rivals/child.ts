import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A script of ours in a process of its own. It tells what it has to tell by messages, and ends when this process does. */
export class Child<Message> {
  readonly #child: ChildProcess

  constructor(script: URL, args: readonly string[] = []) {
    this.#child = fork(fileURLToPath(script), [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null ? this.#child.pid : undefined
  }

  /** What it says next. @throws Error when it ends instead */
  async message(): Promise<Message> {
    const ended = once(this.#child, 'exit').then(([code]) => Promise.reject(new Error(`a process ended with ${code}`)))
    const [message] = (await Promise.race([once(this.#child, 'message'), ended])) as [Message]
    return message
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}
