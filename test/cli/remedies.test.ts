import assert from 'node:assert/strict'
import { it, describe as suite } from 'node:test'
import { pino, stdSerializers } from 'pino'
import { describe, describeAsJson } from '../../src/cli/failure.js'
import { errorWithCommands, logWithCommands, remedyFromWire, withCommands } from '../../src/cli/remedies.js'
import { Alarms } from '../../src/host/alarms.js'
import { ApplyFailedError } from '../../src/host/halt-error.js'
import { safeLogger } from '../../src/host/safe-logger.js'
import type { Remedy } from '../../src/remedy.js'
import { damaged } from '../../src/storage/storage-error.js'

suite('commands of remedies', () => {
  it('each remedy has its command', () => {
    const cases: [Remedy, string][] = [
      [{ code: 'ADD_MEMBER', nodeId: 3 }, '`synod member add 3=HOST:PEERPORT/HOST:CLIENTPORT`, and start it with --join'],
      [{ code: 'REPLACE_MEMBER' }, '`synod member replace ID NEW=HOST:PEERPORT/HOST:CLIENTPORT` on another node'],
      [{ code: 'REPLACE_MEMBER', nodeId: 2 }, '`synod member replace 2 NEW=HOST:PEERPORT/HOST:CLIENTPORT` on another node'],
      [
        { code: 'REPLACE_MEMBER', nodeId: 2, successorId: 5 },
        '`synod member replace 2 5=HOST:PEERPORT/HOST:CLIENTPORT` on another node, and in an empty directory `synod start --id 5 --join …`',
      ],
      [{ code: 'RETRY_SLOT', slot: 7 }, '`synod recover --retry-slot 7`'],
      [{ code: 'RETRY_SLOT' }, '`synod recover --retry-slot`'],
      [{ code: 'SKIP_SLOT', slot: 7 }, '`synod recover --skip-slot 7`'],
      [{ code: 'RESTORE_BACKUP' }, '`synod restore`'],
      [{ code: 'RECOVER_SURVIVORS' }, 'see `synod recover --help`'],
      [{ code: 'RAISE_QUOTA' }, '`synod cluster quota BYTES`'],
      [{ code: 'LOWER_QUOTA', quotaBytes: 25_165_824 }, '`synod cluster quota 25165824`'],
    ]
    for (const [remedy, command] of cases) {
      const [said, purpose] = /^It is so\. Commands: (to [a-z ]+): /.exec(withCommands('It is so.', [remedy])) ?? []
      assert.equal(withCommands('It is so', [remedy]), `${said}${command}`, purpose)
    }
    assert.equal(withCommands('It is so', []), 'It is so')
  })

  it('an error is told with its commands, to people and to programs', () => {
    const error = damaged('/data', 'a file is missing')
    assert.match(
      describe(error),
      /is damaged: a file is missing\..* Commands: .*`synod member replace ID.*`synod recover --help`$/,
    )
    assert.deepEqual(describeAsJson(error), { error: { message: describe(error) } })
  })

  it("a node's log tells the commands with the errors and the alarms that have them", () => {
    const lines: string[] = []
    const write = (line: string): void => {
      const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string } }
      lines.push(err === undefined ? msg : `${msg}: ${err.message.replace(/.*Commands/, '… Commands')}`)
    }
    const serializers = { err: stdSerializers.wrapErrorSerializer(errorWithCommands) }
    const logger = safeLogger(pino({ hooks: { logMethod: logWithCommands }, serializers }, { write }))
    const alarms = new Alarms({ runtime: { wallMs: () => 0 }, logger })
    logger.fatal({ err: new ApplyFailedError({ slot: 4, commandIndex: 0, what: 'a bomb' }) }, 'the node stops')
    logger.fatal({ err: new Error('x') }, 'it fails')
    logger.info('serving %s', 'all')
    logger.info({ nodeId: 1 }, 'at %s', 'once')
    logger.child({ nodeId: 1 }).info('done')
    alarms.raise('QUOTA', 'the state is near its quota', [{ code: 'RAISE_QUOTA' }])
    alarms.raise('WAITING', 'it waits')
    assert.deepEqual(lines, [
      'the node stops: … Commands: to try the slot again: `synod recover --retry-slot 4`; to skip the slot: `synod recover --skip-slot 4`',
      'it fails: x',
      'serving all',
      'at once',
      'done',
      'the state is near its quota. Commands: to raise the quota: `synod cluster quota BYTES`',
      'it waits',
    ])
  })

  it('a remedy of an alarm comes over the wire; one that is not known has no command', () => {
    assert.deepEqual(remedyFromWire({ code: 'RAISE_QUOTA', quotaBytes: 0 }), [{ code: 'RAISE_QUOTA' }])
    assert.deepEqual(remedyFromWire({ code: 'LOWER_QUOTA', quotaBytes: 5 }), [{ code: 'LOWER_QUOTA', quotaBytes: 5 }])
    assert.deepEqual(remedyFromWire({ code: 'OF_A_NEWER_VERSION', quotaBytes: 0 }), [])
  })
})
