import type { SoftwareVersion } from './next-version.js'

/** The versions of Synod on one machine: the one that runs, and the one that is installed for the next start. */
export class InstalledSoftware {
  /** The version that the node runs from its next start on. */
  installed: SoftwareVersion = 'current'
  #running: SoftwareVersion = 'current'
  #hasRunNext = false
  /** True if the version that ran refused the level that it found, and stopped. */
  #hasRefusedLevel = false
  /** True if the operator installs the next version where that is needed. */
  #installsNewest = false

  /** The version that runs, or ran last. */
  get running(): SoftwareVersion {
    return this.#running
  }

  /** True if the node has ever run the next version. */
  get hasRunNext(): boolean {
    return this.#hasRunNext
  }

  /** Installs from now on the newest version that has run here, or the next one if its level was met. */
  useNewest(): void {
    this.#installsNewest = true
    if (this.#hasRunNext || this.#hasRefusedLevel) this.installed = 'next'
  }

  /** Starts the installed version. Returns true if it is another one than before. */
  start(): boolean {
    const isOther = this.installed !== this.#running
    this.#running = this.installed
    this.#hasRunNext ||= this.installed === 'next'
    return isOther
  }

  /** Returns true if the running version may stop with this code: it refuses what the next one has written or raised. */
  refuses(code: string): boolean {
    if (this.#running !== 'current') return false
    return code === 'UNSUPPORTED_LEVEL' || (code === 'UNSUPPORTED_FORMAT' && this.#hasRunNext)
  }

  /** Records such a refusal. Returns true if the next version is now installed, and is to be started. */
  onRefused(): boolean {
    this.#hasRefusedLevel = true
    if (this.#installsNewest) this.installed = 'next'
    return this.#installsNewest
  }
}
