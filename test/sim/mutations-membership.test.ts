import { testMutations } from './mutation-tests.js'
import { MEMBERSHIP_MUTATIONS } from './mutations-membership.js'

testMutations('membership', MEMBERSHIP_MUTATIONS)
