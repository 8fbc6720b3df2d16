import { type Command, Option } from 'commander'
import type { Membership } from '../client/client.js'
import { type ClientFlags, outcomeCounts, wholeNumber, withClient, withClientFlags } from './cli-options.js'
import { type ClusterView, tellNoMajority, viewCluster } from './cluster-view.js'
import { EXIT } from './failure.js'
import { replaceMember } from './member-replace.js'
import { joinCommand, memberTable, memberTroubles, troubleOf } from './member-views.js'
import { parseMember } from './node-options.js'
import { note, print, printJson, styled } from './output.js'

const MINUTES_10_MS = 600_000
const nodeId = wholeNumber(1, 65_535)

const ADD_HELP = `
The new member is a learner: it receives everything and does not vote until it is promoted.

Example:
  $ synod member add 4=10.0.0.4:7201/10.0.0.4:7101`

const REPLACE_HELP = `
Adds NEW as a learner, prints the command that starts it on its machine, waits until it has caught up, removes OLD and lets NEW vote.
The command may be run again at any time: it continues where it stopped.

Example:
  $ synod member replace 3 4=10.0.0.4:7201/10.0.0.4:7101`

const UPDATE_HELP = `
A node that was started at another address tells the others itself. This command also writes it to the log, for members to come.

Example:
  $ synod member update 3=10.0.0.9:7201/10.0.0.9:7101`

export function addMemberCommands(program: Command): void {
  const member = program.command('member').description('list the members of the cluster and change them')
  addList(member)
  addAdd(member)
  addPromote(member)
  addRemove(member)
  addUpdate(member)
  addReplace(member)
  addLead(member)
}

function addList(member: Command): void {
  withClientFlags(
    member
      .command('list')
      .description('list the members, which of them answer, and the progress of learners; exit code 3 without a majority'),
  )
    .addHelpText('after', '\nExample:\n  $ synod member list')
    .action(async (flags: ClientFlags) => {
      const view = await viewCluster(flags)
      if (flags.json) printJson(listAsJson(view))
      else {
        print(memberTable(view))
        for (const line of memberTroubles(view)) print(line)
      }
      const noMajority = tellNoMajority(view.survey)
      if (noMajority === undefined) return
      note(styled('red', noMajority, process.stderr))
      process.exitCode = EXIT.unavailable
    })
}

function listAsJson(view: ClusterView): unknown {
  const { membership, leaderId, report, survey } = view
  const unreachable = membership.members.flatMap((member) => {
    const trouble = troubleOf(member, view)
    return trouble === undefined ? [] : [{ nodeId: member.nodeId, clientAddress: member.clientAddress, trouble }]
  })
  return { membership, leaderId, learners: report.learners, unreachable, hasMajority: survey.hasMajority }
}

function addAdd(member: Command): void {
  withClientFlags(outcomeCounts(member.command('add')).argument('<member>', 'ID=HOST:PEERPORT/HOST:CLIENTPORT'))
    .description('add a new member, as a learner')
    .addOption(dataDirectoryOption())
    .addHelpText('after', ADD_HELP)
    .action(async (text: string, flags: ClientFlags & { data: string }) => {
      const added = parseMember(text)
      const { membership } = await withClient(flags, (client) => client.cluster.addMember(added))
      await show(flags, membership)
      note(`start it with:\n  ${joinCommand(membership, added, flags.data)}`)
    })
}

function addPromote(member: Command): void {
  withClientFlags(outcomeCounts(member.command('promote')).argument('<id>', '', nodeId))
    .description('make a learner a voter, once it has caught up')
    .addHelpText('after', '\nExample:\n  $ synod member promote 4')
    .action(async (id: number, flags: ClientFlags) => {
      const { membership } = await withClient(flags, (client) => client.cluster.promoteMember(id))
      await show(flags, membership)
    })
}

function addRemove(member: Command): void {
  withClientFlags(outcomeCounts(member.command('remove')).argument('<id>', '', nodeId))
    .description(
      'remove a member for good: its number is never given again, and its node stops; when this is done it may be switched off',
    )
    .addHelpText('after', '\nExample:\n  $ synod member remove 3')
    .action(async (id: number, flags: ClientFlags) => {
      const { membership } = await withClient(flags, (client) => client.cluster.removeMember(id))
      await show(flags, membership)
    })
}

function addUpdate(member: Command): void {
  withClientFlags(outcomeCounts(member.command('update')).argument('<member>', 'ID=HOST:PEERPORT/HOST:CLIENTPORT'))
    .description('change the addresses of a member')
    .addHelpText('after', UPDATE_HELP)
    .action(async (text: string, flags: ClientFlags) => {
      const { membership } = await withClient(flags, (client) => client.cluster.updateMember(parseMember(text)))
      await show(flags, membership)
    })
}

function addReplace(member: Command): void {
  const command = outcomeCounts(member.command('replace'))
    .argument('<old>', '', nodeId)
    .argument('<new>', 'ID=HOST:PEERPORT/HOST:CLIENTPORT')
  withClientFlags(command, { timeoutMs: MINUTES_10_MS, timeoutMeans: 'how long all of it may take' })
    .description('replace a member, a dead machine for example')
    .addOption(dataDirectoryOption())
    .addHelpText('after', REPLACE_HELP)
    .action(async (old: number, text: string, flags: ClientFlags & { data: string }) => {
      const view = await replaceMember({ oldId: old, added: parseMember(text), dataDirectory: flags.data }, flags)
      if (flags.json) printJson({ membership: view.membership })
      else print(memberTable(view))
    })
}

function addLead(member: Command): void {
  withClientFlags(outcomeCounts(member.command('lead')).argument('[id]', 'whichever the leader likes, without it', nodeId))
    .description('hand leadership over to another member')
    .addHelpText('after', '\nExample:\n  $ synod member lead 2')
    .action(async (id: number | undefined, flags: ClientFlags) => {
      const { header, leaderId } = await withClient(flags, (client) => client.cluster.transferLeadership(id))
      if (flags.json) printJson({ header, leaderId })
      else print(`node ${leaderId} leads`)
    })
}

const dataDirectoryOption = (): Option =>
  new Option('--data <dir>', "the new member's data directory, for the command that is printed").default('/var/lib/synod')

/** Shows the membership that a change has just made; all other facts about the cluster may be a moment older. */
async function show(flags: ClientFlags, membership: Membership): Promise<void> {
  if (flags.json) return printJson({ membership })
  const view: ClusterView = { ...(await viewCluster(flags)), membership }
  print(memberTable(view))
}
