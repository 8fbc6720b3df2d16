import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { Server } from '@grpc/grpc-js'
import { loadSync, type PackageDefinition } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { fileDescriptorSet } from '../gen/descriptors.js'

const REFLECTION_VERSIONS = ['v1', 'v1alpha'] as const

/**
 * Serves reflection v1 and v1alpha for these services, by their full names. It is fed with descriptors as buf made them: those that proto-loader makes, as the package's
 * readme has it, lose their dependencies, and clients cannot use them (grpc-node #3018, #3034).
 */
export function addReflection(server: Server, clientServices: readonly string[]): void {
  const { file } = fromBinary(FileDescriptorSetSchema, fileDescriptorSet)
  const descriptors = file.map((proto) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)))
  const ours = { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos: descriptors }
  const services = [
    ...clientServices,
    'grpc.health.v1.Health',
    ...REFLECTION_VERSIONS.map((version) => `grpc.reflection.${version}.ServerReflection`),
  ]
  // Only fileDescriptorProtos is read of it.
  const all = { ours, ...reflectionItself() } as unknown as PackageDefinition
  new ReflectionService(all, { services }).addToServer(server)
}

/** The reflection service lists itself, too. Its protos import nothing, so that proto-loader does them no harm. */
function reflectionItself(): PackageDefinition {
  const main = createRequire(import.meta.url).resolve('@grpc/reflection')
  const protos = join(main, '../../proto')
  return loadSync(
    REFLECTION_VERSIONS.map((version) => `grpc/reflection/${version}/reflection.proto`),
    { includeDirs: [protos] },
  )
}
