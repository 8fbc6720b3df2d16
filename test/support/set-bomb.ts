import { BankAndKeys } from '../../src/api/bank-and-keys.js'

/** Has every state machine of this process throw at each command with the word `bomb` in it, after it has carried it out. */
export function setBomb(): void {
  // oxlint-disable-next-line typescript/unbound-method -- called on the object that it is asked of
  const carryOut = BankAndKeys.prototype.apply
  BankAndKeys.prototype.apply = function apply(this: BankAndKeys, bytes, at) {
    const result = carryOut.call(this, bytes, at)
    if (Buffer.from(bytes).includes('bomb')) throw new Error('a bomb')
    return result
  }
}
