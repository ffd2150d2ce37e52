import { expect, test } from 'vitest'
import { load, type Block } from './greeting.ts'

test('blocks are made', async () => {
  const { text } = await load()
  const blocks: Block[] = Array.from({ length: 20 },
    () => text())
  expect(blocks[19] - blocks[0]).toBe(1900)
})
