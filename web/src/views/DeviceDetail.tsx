import { Page } from '../parts/Page';

export default function DeviceDetail() {
  return (
    <Page title="DeviceDetail">
      <span />
    </Page>
  );
}
