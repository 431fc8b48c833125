import { Page } from '../parts/Page';

export default function AddDevice() {
  return (
    <Page title="AddDevice">
      <span />
    </Page>
  );
}
