import { testMutations } from './mutation-tests.js'
import { HOST_MUTATIONS, TRANSPORT_MUTATIONS } from './mutations-host.js'

testMutations('host', [...HOST_MUTATIONS, ...TRANSPORT_MUTATIONS])
