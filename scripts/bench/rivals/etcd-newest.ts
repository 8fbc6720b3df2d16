import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = 'go.etcd.io/etcd/server/v3'
/** Requires etcd as any other module would: `go install` refuses a module that replaces its siblings by their folders, as etcd's does. */
const GO_MOD = 'module synod-bench-etcd\n\ngo 1.24\n'

/** Where it is once it is built; a directory of this user's own, since what lies there is run. */
const DIRECTORY = join(tmpdir(), `synod-bench-etcd-${process.getuid?.() ?? ''}`)
const PROGRAM = join(DIRECTORY, 'etcd')

/** The newest etcd that was built before; undefined when none was. */
export function builtEtcd(): string | undefined {
  return existsSync(PROGRAM) && statSync(DIRECTORY).uid === process.getuid?.() ? PROGRAM : undefined
}

/** Builds the newest etcd, if there is Go ($GO, or the one on the PATH) and a module proxy. Takes a minute. @throws Error */
export function buildEtcd(): string {
  const go = (...args: string[]): unknown =>
    execFileSync(process.env['GO'] ?? 'go', args, { cwd: DIRECTORY, stdio: ['ignore', 'ignore', 'pipe'] })
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 })
  writeFileSync(join(DIRECTORY, 'go.mod'), GO_MOD)
  go('get', `${PACKAGE}@latest`)
  go('build', '-o', PROGRAM, PACKAGE)
  return PROGRAM
}
