// Loaded into nodes by a test: their state machine throws at every command with the word in it, after it has carried it out.
import { BankAndKeys } from '../../src/api/bank-and-keys.js'

// oxlint-disable-next-line typescript/unbound-method -- called on the object that it is asked of
const carryOut = BankAndKeys.prototype.apply

BankAndKeys.prototype.apply = function apply(this: BankAndKeys, bytes, at) {
  const result = carryOut.call(this, bytes, at)
  if (Buffer.from(bytes).includes('bomb')) throw new Error('a bomb')
  return result
}
