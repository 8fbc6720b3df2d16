import { testMutations } from './mutation-tests.js'
import { LEVEL_MUTATIONS } from './mutations-levels.js'

testMutations('levels', LEVEL_MUTATIONS)
