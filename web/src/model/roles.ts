// Who may do what; the server decides, this only hides what would be refused.

import type { Role } from '../api/types';
import { useSession } from './queries';

const rank: Record<Role, number> = { viewer: 0, operator: 1, engineer: 2, administrator: 3 };

export const roles: Role[] = ['viewer', 'operator', 'engineer', 'administrator'];

export const mayAs = (role: Role | undefined, needed: Role): boolean =>
  role !== undefined && rank[role] >= rank[needed];

export function useMay(needed: Role): boolean {
  return mayAs(useSession().data?.user?.role, needed);
}
