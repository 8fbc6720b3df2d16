import { SingleBar } from 'cli-progress'

/** A bar on stderr, if that is a terminal. */
export class ProgressLine {
  readonly #bar: SingleBar | undefined

  /** @param format with {bar}, {value}, {total} and the names of the fields of `update` */
  constructor(format: string, total: number, start: Readonly<Record<string, string | number>> = {}) {
    if (!process.stderr.isTTY) return
    this.#bar = new SingleBar({
      format,
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      fps: 5,
    })
    this.#bar.start(total, 0, start)
  }

  update(value: number, shown: Readonly<Record<string, string | number>>): void {
    this.#bar?.update(value, shown)
  }

  stop(): void {
    this.#bar?.stop()
  }
}
