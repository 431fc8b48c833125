// Mantine under our tokens: sizes by density, colours from tokens.css, nothing injected into the page.

import { createTheme, type MantineSize } from '@mantine/core';
import type { Density } from '../model/preferences';

const sizeOf: Record<Density, MantineSize> = { dense: 'xs', comfortable: 'sm', touch: 'lg' };

export function themeFor(density: Density) {
  const size = sizeOf[density];
  const sized = { defaultProps: { size } };
  const inputs = ['TextInput', 'PasswordInput', 'NumberInput', 'Textarea', 'Select', 'NativeSelect', 'MultiSelect'];
  return createTheme({
    primaryColor: 'blue',
    defaultRadius: 4,
    autoContrast: false,
    components: {
      ...Object.fromEntries(inputs.map((name) => [name, sized])),
      Button: sized,
      ActionIcon: {
        defaultProps: {
          size: density === 'touch' ? 'xl' : density === 'dense' ? 'md' : 'lg',
          variant: 'subtle',
          color: 'gray',
        },
      },
      Checkbox: sized,
      Switch: sized,
      SegmentedControl: { defaultProps: { size: density === 'touch' ? 'md' : 'xs' } },
      Tabs: { defaultProps: { variant: 'default' } },
      Tooltip: { defaultProps: { transitionProps: { duration: 0 }, openDelay: 400 } },
      Menu: { defaultProps: { transitionProps: { duration: 0 }, position: 'bottom-end' } },
      Popover: { defaultProps: { transitionProps: { duration: 0 } } },
    },
  });
}
