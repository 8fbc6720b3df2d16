import { etcdVersion } from '../../lib/etcd.js'
import type { EtcdProgram } from './etcd.js'
import { buildEtcd, builtEtcd } from './etcd-newest.js'

/** Those that are on this machine. In a quick run one of them: the installed one, or else the newest, if that was built before. */
export function findEtcds({ isQuick, note }: { isQuick: boolean; note: (line: string) => void }): EtcdProgram[] {
  const installed = programOf('etcd', process.env['ETCD'] ?? 'etcd')
  if (isQuick && installed !== undefined) return [installed]
  const newest = programOf('etcd-newest', isQuick ? builtEtcd() : buildOrNot(note))
  return [installed, newest].filter((program) => program !== undefined)
}

function buildOrNot(note: (line: string) => void): string | undefined {
  const built = builtEtcd()
  if (built !== undefined) return built
  try {
    note('building the newest etcd')
    return buildEtcd()
  } catch (error) {
    note(`it cannot be built here: ${(error as Error).message.split('\n')[0]}`)
    return undefined
  }
}

function programOf(name: EtcdProgram['name'], command: string | undefined): EtcdProgram | undefined {
  if (command === undefined) return undefined
  const version = etcdVersion(command)
  // 'etcd Version: 3.4.23'
  return version === undefined ? undefined : { name, title: version.replace(' Version:', ''), command }
}
