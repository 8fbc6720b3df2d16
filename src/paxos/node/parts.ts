import { Elections } from './elections.js'
import { Joining } from './joining.js'
import { Requests } from './requests.js'
import { makeRoles, type NodeSettings, type Roles } from './roles.js'

/** Everything that a node is made of. */
export interface Parts extends Roles {
  readonly elections: Elections
  readonly requests: Requests
  readonly joining: Joining
}

/** Makes the parts of a node. `onMembershipChanged` is called when a change was decided or has come into force. */
export function assemble(settings: NodeSettings, onMembershipChanged: () => void): Parts {
  const roles = makeRoles(settings, onMembershipChanged)
  const elections = new Elections(roles)
  const requests = new Requests(roles, elections)
  const joining = new Joining(settings, roles, elections, requests, onMembershipChanged)
  return { ...roles, elections, requests, joining }
}
