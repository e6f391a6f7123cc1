using CsCheck;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Primitives;

public class HostEndPointPropertyTests
{
    [Test]
    public void Host_that_is_shown_is_the_same_when_it_is_read() => Properties.Host.Holds(static host =>
        HostEndPoint.TryParseAuthority(host.ToString(), null, out var shown) && shown == host
        && HostEndPoint.TryParseAuthority(host.ToAuthority(80), 80, out var named) && named == host
        && HostEndPoint.TryCreate(host.Host, host.Port, out var canonical) && canonical == host
        && HostEndPoint.TryFromUri(new Uri($"http://{host}/"), out var asked, out _) && asked == host);

    /// <summary>Letter case, the root dot and brackets change nothing.</summary>
    [Test]
    public void Spellings_of_a_host_are_one_host() => Properties.Host.Holds(static host =>
    {
        string spelling = host.Address is null ? host.Host.ToUpperInvariant() + "."
            : host.Host.Contains(':') ? $"[{host.Host.ToUpperInvariant()}]" : host.Host + ".";
        return HostEndPoint.TryCreate(spelling, host.Port, out var same) && same == host;
    });

    [Test]
    public void Onion_address_is_its_key() => Gen.Byte.Array[32].Holds(static key =>
    {
        byte[] read = new byte[32];
        string label = OnionAddress.LabelOf(key);
        return OnionAddress.TryReadKey(label, read) && read.AsSpan().SequenceEqual(key) && OnionAddress.IsValid(label + ".onion")
            && OnionServiceAddress.TryParse(label.ToUpperInvariant(), out var address, out _) && address.PublicKey == new Bytes32(key)
            && address.Label == label;
    });

    [Test]
    public void Onion_address_with_another_letter_is_none() =>
        Gen.Select(Gen.Byte.Array[32], Gen.Int[0, OnionAddress.LabelLength - 1], Gen.Int[1, 31]).Holds(static one =>
        {
            const string alphabet = "abcdefghijklmnopqrstuvwxyz234567";
            char[] label = OnionAddress.LabelOf(one.Item1).ToCharArray();
            label[one.Item2] = alphabet[(alphabet.IndexOf(label[one.Item2]) + one.Item3) % alphabet.Length];

            // The checksum has 16 bits: one wrong address in 65,536 is another key's.
            byte[] read = new byte[32];
            return !OnionAddress.TryReadKey(label, read) || OnionAddress.LabelOf(read) == new string(label);
        });

    [Test]
    public void Pac_file_names_the_proxy_and_nothing_else() => Properties.Host.Holds(static host =>
    {
        string[] quoted = ProxyAutoConfig.Build(host, http: true, socks5: false).Split('"');
        return ProxyAutoConfig.CanName(host) && quoted[^2] == $"PROXY {host}"
            && HostEndPoint.TryParseAuthority(quoted[^2].AsSpan("PROXY ".Length), null, out var read) && read == host;
    });
}
