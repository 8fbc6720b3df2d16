import { sessionViolations } from '../api/validate-session.js'
import { CloseSessionRequest, CloseSessionResponse, SessionServiceService } from '../gen/synod/session/v1/session.js'
import { invalidArgument } from './call-error.js'
import { requireJoined } from './joined.js'
import { change, defineService, encoded } from './service.js'
import { converse } from './session-stream.js'

/** Session streams that may be open on a node. */
const STREAMS_MAX = 10_000

/** synod.session.v1.SessionService: the SDK's road, one stream per client. */
export const sessionService = defineService(SessionServiceService, (parts) => ({
  connect: {
    kind: 'stream',
    bound: { countMax: STREAMS_MAX, what: 'sessions' },
    handle: async (stream) => {
      requireJoined(parts.member, { mayWait: true })
      await converse(stream, parts)
    },
  },
  closeSession: change(
    CloseSessionRequest,
    encoded(CloseSessionResponse, async (request, context) => {
      const violations = sessionViolations(request)
      if (violations.length > 0) throw invalidArgument(violations)
      const { member, operations } = parts
      requireJoined(member, { mayWait: true })
      const { closed, slot } = await member.closeSession(request, context.wait())
      return { header: operations.header(slot), closed }
    }),
  ),
}))
