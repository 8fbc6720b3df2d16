import { admit } from '../admission.js'
import type { HostListener } from '../host-settings.js'
import { HostedMember } from '../hosted-member.js'
import type { PeerPortHandlers } from '../peers/peer-port.js'
import { type Assembly, assemble, noteMembership } from './assemble.js'
import { knownClusterOf } from './known-cluster.js'
import type { HostedMemberOptions, MemberParts } from './member-parts.js'
import type { Restored } from './restored.js'
import { Shutdown } from './shutdown.js'

/** Puts a member together on what it has restored, and has it go to work. @throws PeerListenError; nothing is left running then */
export async function startMember(options: HostedMemberOptions, parts: MemberParts, restored: Restored): Promise<HostedMember> {
  const assembly = assemble(options, parts, restored)
  const shutdown = new Shutdown(assembly)
  const { host, port, finder } = assembly
  host.start(hostListener(assembly, shutdown))
  try {
    await port.start(portHandlers(assembly))
    finder.refresh()
  } catch (error) {
    await host.stop()
    await port.stop()
    throw error
  }
  return new HostedMember(assembly, shutdown)
}

function hostListener(assembly: Assembly, shutdown: Shutdown): HostListener {
  const { options, storage, node, applier, finder, receiver } = assembly
  const { machine, logger, observer } = options
  return {
    onFormed: () => {
      const { genesis } = node
      if (genesis === undefined) return
      if (applier.isFresh) applier.applyInitial(machine, genesis)
      logger.info({ clusterId: genesis.clusterId, members: genesis.members.length }, 'member of a cluster')
    },
    onMembershipsChanged: () => {
      noteMembership(node, options, storage)
      finder.refresh()
    },
    onLeaderChanged: (leaderId) => {
      logger.info({ leaderId }, leaderId === 0 ? 'no leader is heard' : 'a leader is heard')
      observer?.event('leaderChanged', { leaderId })
      shutdown.onLeaderChanged(leaderId)
    },
    onCheckpointWanted: (wanted) => receiver.want(wanted),
    onFailed: (error) => shutdown.onFailed(error),
  }
}

/** Makes the handlers of what peers ask and send. */
function portHandlers(assembly: Assembly): PeerPortHandlers {
  const { storage, node, host, finder, talk, sender, reads, refusals } = assembly
  return {
    identity: () => ({ clusterId: node.genesis?.clusterId ?? '', dataDirId: storage.dataDirId }),
    admit: (caller) => admit(caller, knownClusterOf(node), finder),
    tell: ({ clusterId }) => (clusterId !== '' && clusterId === node.genesis?.clusterId ? finder.tell() : undefined),
    onMessages: (from, messages, { dataDirId }) => host.receive(from, messages, dataDirId),
    serveCheckpoint: (caller, request) => reads.through(sender.serve(caller, request)),
    onConnected: (peer) => {
      refusals.onConnected(peer)
      finder.onConnected(peer)
      talk.onConnected(peer)
    },
    onRefused: (by, refusal, address) => refusals.onRefused(by, refusal, address),
  }
}
