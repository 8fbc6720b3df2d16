import { testMutations } from './mutation-tests.js'
import { CORE_MUTATIONS } from './mutations-core.js'

testMutations('core', CORE_MUTATIONS)
