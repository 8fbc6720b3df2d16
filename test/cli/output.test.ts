import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CliError, describeAsJson, exitCodeOf, describe as tell } from '../../src/cli/failure.js'
import { checkOneCluster } from '../../src/cli/local-cluster.js'
import { formatTable } from '../../src/cli/output.js'
import { SynodError } from '../../src/client/client.js'

describe('what the command prints', () => {
  it('a table has its numbers to the right and no blanks at the ends of lines', () => {
    const rows = [
      ['alice', '-5', ''],
      ['bob', '1000', 'x'],
    ]
    assert.equal(formatTable(['id', 'n', 'last'], rows), ['id        n  last', 'alice    -5', 'bob    1000  x'].join('\n'))
    assert.equal(formatTable(['id', 'n'], []), 'id  n')
  })

  it('nodes with data of different clusters are named, nodes that are down or still join are not', () => {
    const [a, b] = [
      { nodeId: 2, clusterId: 'a' },
      { nodeId: 3, clusterId: 'b' },
    ]
    checkOneCluster([undefined, { nodeId: 1, clusterId: '' }, a, { ...a, nodeId: 4 }])
    assert.throws(() => checkOneCluster([undefined, { nodeId: 1, clusterId: '' }, a, b]), /node 2 and node 3 .* a and b/)
  })

  it('the exit code says what kind of failure it was', () => {
    const codes = [
      'FAILED_PRECONDITION',
      'NOT_FOUND',
      'INVALID_ARGUMENT',
      'UNAVAILABLE',
      'OUTCOME_UNKNOWN',
      'RESOURCE_EXHAUSTED',
    ] as const
    assert.deepEqual(
      codes.map((code) => exitCodeOf(new SynodError(code, 'REASON', 'message'))),
      [1, 1, 2, 3, 3, 3],
    )
    assert.equal(exitCodeOf(new CliError('failed')), 1)
    assert.equal(exitCodeOf(new TypeError('a mistake of ours')), 1)
  })

  it('an error of the SDK is told with its reason, for people and for programs', () => {
    const error = new SynodError('NOT_FOUND', 'ACCOUNT_NOT_FOUND', 'there is no account "x"')
    assert.equal(tell(error), 'ACCOUNT_NOT_FOUND: there is no account "x"')
    assert.deepEqual(describeAsJson(error), {
      error: {
        code: 'NOT_FOUND',
        reason: 'ACCOUNT_NOT_FOUND',
        message: 'there is no account "x"',
        retrySafe: false,
        fieldViolations: [],
      },
    })
  })
})
