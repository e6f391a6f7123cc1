using System.Net;
using CsCheck;
using TorBalancer.Primitives;

namespace TorBalancer.Tests.Support;

/// <summary>
/// Properties that hold of everything that a generator makes. Other values in each run; what fails is made smaller first, and the message
/// has the seed: <c>CsCheck_Seed=… dotnet test</c> begins with it.
/// </summary>
internal static class Properties
{
    private const int Iterations = 500;

    /// <summary>Small letters, digits and dashes: what every kind of name takes.</summary>
    private const string NameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-";

    /// <summary>Any byte as a character.</summary>
    public static Gen<char> Latin1 { get; } = Gen.Char['\0', '\u00FF'];

    public static Gen<string> AnyText { get; } = Gen.String[Latin1, 0, 40];

    /// <summary>A label of a host name: no dash at its beginning.</summary>
    public static Gen<string> Label { get; } = Gen.Select(
        Gen.Char['a', 'z'], Gen.String[Gen.OneOf(NameCharacters.ToCharArray()), 0, 20], static (first, rest) => first + rest);

    public static Gen<string> Name { get; } = Label.Array[1, 5].Select(static labels => string.Join('.', labels));

    public static Gen<int> Port { get; } = Gen.Int[1, 65535];

    public static Gen<IPAddress> IPv4 { get; } = Gen.Byte.Array[4].Select(static bytes => new IPAddress(bytes));

    /// <summary>With few bytes that are set as well, which are written short.</summary>
    public static Gen<IPAddress> IPv6 { get; } = Gen.OneOf(
        Gen.Byte.Array[16], Gen.OneOf<byte>(0, 0, 0, 1).Array[16]).Select(static bytes => new IPAddress(bytes));

    /// <summary>A name or an address, with a port.</summary>
    public static Gen<HostEndPoint> Host { get; } = Gen.OneOf(
        Gen.Select(Name, Port, static (name, port) => HostEndPoint.TryCreate(name, port, out var host) ? host : default),
        Gen.Select(Gen.OneOf(IPv4, IPv6), Port, HostEndPoint.FromAddress));

    /// <summary>Fails with the smallest value that was found for which it does not hold.</summary>
    public static void Holds<T>(this Gen<T> values, Func<T, bool> property, int iterations = Iterations) =>
        values.Sample(property, iter: iterations, threads: 1);
}
