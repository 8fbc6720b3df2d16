import { createFileRegistry, type DescMethod, type DescService, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { fileDescriptorSet } from '../gen/descriptors.js'
import { usageError } from './failure.js'
import { suggestion } from './near-name.js'

/** Services that clients may call, from the descriptors that server reflection also serves. */
function services(): DescService[] {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet))
  return [...registry].filter((type) => type.kind === 'service')
}

/**
 * Finds the unary method SERVICE/METHOD, in upper or lower case. Short names of synod.kv.v1.KeyValueService: KeyValueService, KeyValue, kv.
 * @throws CliError (usage)
 */
export function findMethod(name: string): DescMethod {
  const [service = '', wanted = ''] = name.toLowerCase().split('/')
  const all = services().flatMap(({ methods }) => methods)
  const method = all.find((one) => one.name.toLowerCase() === wanted && shortNamesOf(one.parent.typeName).includes(service))
  if (method?.methodKind === 'unary') return method
  if (method !== undefined) throw usageError(`${pathOf(method)} is a stream; call takes unary methods`)
  const unary = all.filter(({ methodKind }) => methodKind === 'unary').map(pathOf)
  const short = all.flatMap((one) => shortNamesOf(one.parent.typeName).map((start) => `${start}/${one.name}`))
  throw usageError(`there is no method ${name}${suggestion(name, short)}; there are:\n  ${unary.join('\n  ')}`)
}

function pathOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}

function shortNamesOf(typeName: string): string[] {
  const parts = typeName.toLowerCase().split('.')
  const simple = parts.at(-1) ?? ''
  return [typeName.toLowerCase(), simple, simple.replace(/service$/, ''), parts.at(-3) ?? '']
}
