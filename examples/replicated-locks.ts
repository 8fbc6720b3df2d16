// Locks that end by themselves (examples/locks.ts), on three members in virtual time; Member.start takes the same machine.
//
//   npx tsx examples/replicated-locks.ts
import { SimCluster } from '../src/testing/sim-cluster.js'
import { Locks } from './locks.js'

const cluster = await SimCluster.start({ machine: () => new Locks() })
const ask = async (text: string): Promise<string> => {
  const { result } = await cluster.invoke(new TextEncoder().encode(text))
  return new TextDecoder().decode(result)
}
console.log(`alice asks for the printer for a minute: it is ${await ask('printer alice 60000')}'s`)
console.log(`bob asks for it: it is ${await ask('printer bob 60000')}'s`)
await cluster.run(60_000)
const { result } = await cluster.query(new TextEncoder().encode('printer'))
console.log(`a minute later it is ${new TextDecoder().decode(result) || 'nobody'}'s, though nobody has written anything`)
console.log(`bob asks again: it is ${await ask('printer bob 60000')}'s`)
