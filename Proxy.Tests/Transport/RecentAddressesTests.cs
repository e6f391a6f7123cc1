using System.Net;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[TestFixture]
public class RecentAddressesTests
{
    private readonly RecentAddresses _recent = new();

    [Test]
    public void A_client_that_comes_again_shares_its_address()
    {
        var first = Get("10.1.2.3", 4000);
        Assert.That(Get("10.1.2.3", 4001), Is.SameAs(first));
        Assert.That(Get("10.1.2.4", 4000), Is.EqualTo(IPAddress.Parse("10.1.2.4")));
    }

    [Test]
    public void More_clients_than_are_remembered_each_keep_their_own()
    {
        for (int i = 0; i < 2000; i++)
        {
            var address = new IPAddress([10, (byte)(i >> 8), (byte)(i % 3), (byte)i]);
            Assert.That(Get(address.ToString(), i), Is.EqualTo(address));
        }
    }

    [Test]
    public void Ipv6_is_read_and_a_unix_socket_has_none()
    {
        Assert.That(Get("fd00::1", 1), Is.EqualTo(IPAddress.Parse("fd00::1")));
        Assert.That(_recent.Get([1, 0]), Is.Null);
    }

    private IPAddress? Get(string address, int port) => _recent.Get(new IPEndPoint(IPAddress.Parse(address), port).Serialize().Buffer.Span);
}
