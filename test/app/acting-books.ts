import { Books } from '../../src/app/books.js'
import { apply, read } from '../../src/app/carry-out.js'
import type { Operation, Outcome } from '../../src/app/operation.js'
import type { Moment } from '../../src/replication/state-machine.js'

/** Books that carry operations out by themselves, for tests that have no log. */
export class ActingBooks extends Books {
  apply(operation: Operation, at: Moment): Outcome {
    return apply(this, operation, at)
  }

  read(operation: Operation): Outcome {
    return read(this, operation)
  }
}
