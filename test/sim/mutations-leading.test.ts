import { testMutations } from './mutation-tests.js'
import { LEADING_MUTATIONS } from './mutations-leading.js'

testMutations('leading', LEADING_MUTATIONS)
