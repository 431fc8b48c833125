import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useEffect } from 'react';
import { whenSignedOut } from '../api/client';
import { live } from '../model/live';
import { navigate, useRoute } from '../model/navigation';
import { useDensity } from '../model/preferences';
import { queryClient, takeAlarms, useSession } from '../model/queries';
import { t } from '../model/text';
import { Offer, Waiting } from '../parts/Page';
import { Toasts } from '../parts/Toasts';
import { SignIn } from '../views/SignIn';
import { Shell } from './Shell';
import { themeFor } from './theme';

// Needed once in the life of a house.
const Claim = lazy(() => import('../views/Claim'));

live.onAlarms(takeAlarms);
whenSignedOut(() => void queryClient.invalidateQueries({ queryKey: ['session'] }));

export function App() {
  const density = useDensity();
  return (
    <MantineProvider
      theme={themeFor(density)}
      defaultColorScheme="light"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queryClient}>
        <Gate />
        <Toasts />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Who is nobody sees the claim or the sign-in; everyone else the house. */
function Gate() {
  const session = useSession();
  const route = useRoute();
  const isSignedIn = session.data?.user != null;
  useEffect(() => {
    if (!isSignedIn) return;
    live.start();
    return () => live.stop();
  }, [isSignedIn]);
  useEffect(() => {
    if (isSignedIn && route.name === 'claim') navigate('/');
  }, [isSignedIn, route.name]);

  if (session.data === undefined) {
    return session.isError ? <Offer title={t('link.noServer')} text={t('link.noServerText')} /> : <Waiting />;
  }
  if (isSignedIn) return <Shell />;
  if (session.data.claimed) return <SignIn />;
  return (
    <Suspense fallback={<Waiting />}>
      <Claim token={new URLSearchParams(route.hash).get('token') ?? ''} />
    </Suspense>
  );
}
