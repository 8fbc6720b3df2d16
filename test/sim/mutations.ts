import type { Mutation } from './mutant.js'
import { CORE_MUTATIONS } from './mutations-core.js'
import { MACHINE_MUTATIONS } from './mutations-machine.js'

/** By the layer that the bug is in. */
export const MUTATIONS: Readonly<Record<string, readonly Mutation[]>> = {
  core: CORE_MUTATIONS,
  machine: MACHINE_MUTATIONS,
}
