import { expect, test } from 'vitest';
import { notFound, packagesFor } from './libraries.ts';

test('what ldd does not find is named with the packages that bring it', () => {
  const ldd = `
	linux-vdso.so.1 (0x00007ffd)
	libffmpeg.so => /opt/electron/libffmpeg.so (0x00007f)
	libnss3.so => not found
	libnssutil3.so => not found
	libgbm.so.1 => not found
	libodd.so.3 => not found
`;
  expect(notFound(ldd)).toEqual(['libnss3.so', 'libnssutil3.so', 'libgbm.so.1', 'libodd.so.3']);
  expect(packagesFor(notFound(ldd))).toEqual(['libgbm1', 'libnss3', 'libodd.so.3']);
});
