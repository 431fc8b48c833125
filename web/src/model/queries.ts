// What the screens read from the server, with how often it is read again. Live values do not pass here.

import { QueryCache, QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { Problem } from '../api/client';
import * as api from '../api/endpoints';
import type { AlarmsAnswer } from '../api/types';
import { live } from './live';
import { complain } from './toasts';

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // The banner tells of a server that is away, and 401 leads to the sign-in; a toast for each would only add noise.
      if (error instanceof Problem && (error.status === 0 || error.status === 401)) return;
      if (query.meta?.quiet !== true) complain(error);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2000,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 502),
    },
    mutations: { onError: complain },
  },
});

export const useSession = () => useQuery({ queryKey: ['session'], queryFn: api.session.read, staleTime: 60_000 });

export const useValues = (prefix: string) =>
  useQuery({
    queryKey: ['values', prefix],
    queryFn: async () => {
      const answer = await api.values.below(prefix);
      live.seed(answer.items);
      return answer.items;
    },
    refetchInterval: 5000,
  });

export const useDevices = (state?: string) =>
  useQuery({ queryKey: ['devices', state ?? ''], queryFn: () => api.devices.list({ state }), refetchInterval: 5000 });

export const useDevice = (id: string) =>
  useQuery({ queryKey: ['device', id], queryFn: () => api.devices.read(id), refetchInterval: 3000 });

export const useTagsOf = (device: string) =>
  useQuery({ queryKey: ['tags', device], queryFn: () => api.tags.list({ device }), refetchInterval: 10_000 });

export const useAssets = () => useQuery({ queryKey: ['assets'], queryFn: api.assets.list, staleTime: 30_000 });

export const useRules = (enabled = true) => useQuery({ queryKey: ['rules'], queryFn: () => api.rules.list(), enabled });

/** Kept fresh by the live connection; read again now and then in case that is silent. */
export const useAlarms = () =>
  useQuery({ queryKey: ['alarms'], queryFn: api.alarms.active, refetchInterval: 15_000, staleTime: 5000 });

export function takeAlarms(alarms: AlarmsAnswer): void {
  queryClient.setQueryData(['alarms'], alarms);
}

export const useStatus = (everyMs = 2000) =>
  useQuery({
    queryKey: ['status'],
    queryFn: api.system.status,
    refetchInterval: everyMs,
    meta: { quiet: everyMs > 2000 },
  });

/** Marks everything under these keys as out of date, after a change. */
export function useRefresh(): (...keys: string[]) => void {
  const client = useQueryClient();
  return (...keys) => {
    for (const key of keys) void client.invalidateQueries({ queryKey: [key] });
  };
}
