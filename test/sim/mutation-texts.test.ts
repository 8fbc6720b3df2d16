import { test } from 'node:test'
import { changedText } from './mutant.js'
import { MUTATIONS } from './mutations.js'
import { SURVIVORS } from './survivors.js'

test('each deliberate change can still be made, those too that are measured only now and then', () => {
  for (const change of [...Object.values(MUTATIONS).flat(), ...SURVIVORS]) changedText(change)
})
