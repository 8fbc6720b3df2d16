import { testMutations } from './mutation-tests.js'
import { MACHINE_MUTATIONS } from './mutations-machine.js'

testMutations('machine', MACHINE_MUTATIONS)
