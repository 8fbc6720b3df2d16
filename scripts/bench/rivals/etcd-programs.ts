import { etcdVersion } from '../../lib/etcd.js'
import type { EtcdProgram } from './etcd.js'
import { buildEtcd, builtEtcd } from './etcd-newest.js'

/** Every etcd that is on this machine; with `isBuilding`, also the newest one, which is built if there is Go. */
export function findEtcds({ isBuilding, note }: { isBuilding: boolean; note: (line: string) => void }): EtcdProgram[] {
  const installed = programOf('etcd', process.env['ETCD'] ?? 'etcd')
  const newest = programOf('etcd-newest', isBuilding ? buildOrNot(note) : builtEtcd())
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
