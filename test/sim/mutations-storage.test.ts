import { testMutations } from './mutation-tests.js'
import { STORAGE_MUTATIONS } from './mutations-storage.js'

testMutations('storage', STORAGE_MUTATIONS)
