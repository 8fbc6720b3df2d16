import { etcdVersion } from '../../lib/etcd.js'
import type { EtcdProgram } from './etcd.js'

/** Every etcd on this machine. */
export function findEtcds(): EtcdProgram[] {
  const command = process.env['ETCD'] ?? 'etcd'
  const version = etcdVersion(command)
  return version === undefined ? [] : [{ name: 'etcd', title: titleOf(version), command }]
}

/** 'etcd Version: 3.4.23' → 'etcd 3.4.23' */
function titleOf(version: string): string {
  return version.replace(' Version:', '')
}
