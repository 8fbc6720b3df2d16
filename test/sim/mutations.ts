import type { Mutation } from './mutant.js'
import { CLIENT_MUTATIONS } from './mutations-client.js'
import { CORE_MUTATIONS } from './mutations-core.js'
import { HIDDEN_MUTATIONS } from './mutations-hidden.js'
import { HOST_MUTATIONS, TRANSPORT_MUTATIONS } from './mutations-host.js'
import { LEADING_MUTATIONS } from './mutations-leading.js'
import { LEVEL_MUTATIONS } from './mutations-levels.js'
import { MACHINE_MUTATIONS } from './mutations-machine.js'
import { MEMBERSHIP_MUTATIONS } from './mutations-membership.js'
import { STORAGE_MUTATIONS } from './mutations-storage.js'

/** By the layer that the bug is in. */
export const MUTATIONS: Readonly<Record<string, readonly Mutation[]>> = {
  core: [...CORE_MUTATIONS, ...LEADING_MUTATIONS],
  machine: MACHINE_MUTATIONS,
  levels: LEVEL_MUTATIONS,
  membership: MEMBERSHIP_MUTATIONS,
  host: HOST_MUTATIONS,
  client: CLIENT_MUTATIONS,
  storage: STORAGE_MUTATIONS,
  transport: TRANSPORT_MUTATIONS,
  hidden: HIDDEN_MUTATIONS,
}
