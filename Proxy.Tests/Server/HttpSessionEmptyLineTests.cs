using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

/// <summary>
/// RFC 9112, section 2.2: an empty line in front of a request line is ignored. It is the first that the port hears of a client.
/// </summary>
public class HttpSessionEmptyLineTests
{
    [TestCase("\r\nCONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n", "HTTP/1.1 200 ")]
    [TestCase("\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 400 ")]
    [TestCase("\r\n\r\nCONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n", "HTTP/1.1 400 ", Description = "one, not many")]
    [TestCase("\r\0", "", Description = "not HTTP and no line")]
    [CancelAfter(30_000)]
    public async Task An_empty_line_before_the_request_is_ignored(string request, string expected, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();

        await client.WriteAsync(Encoding.ASCII.GetBytes(request), token);
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        var answer = await SocksClient.ReadToEndAsync(client, token);
        Assert.That(Encoding.ASCII.GetString(answer), expected.Length == 0 ? Is.Empty : Does.StartWith(expected));
    }
}
