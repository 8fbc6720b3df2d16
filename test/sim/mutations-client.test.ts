import { testMutations } from './mutation-tests.js'
import { CLIENT_MUTATIONS } from './mutations-client.js'

testMutations('client', CLIENT_MUTATIONS)
